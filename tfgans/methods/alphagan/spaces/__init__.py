"""The spaces that can be searched, each with its supernet, genotypes, networks and pictures."""
