"""A run: from a configuration to a folder of results, and what is made of it afterwards."""
