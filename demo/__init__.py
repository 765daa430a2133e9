"""The whole road, once: three requests as the client DDH, through SQL alone, and a look at what came of them."""
