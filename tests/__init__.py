"""pgtap mirrors db/; py mirrors codegen and workers, with integration for what needs several of them."""
