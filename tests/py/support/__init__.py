"""What the fixtures are made of: a server with a deployed template, databases copied from it, worker processes."""
