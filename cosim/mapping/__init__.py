"""Loop nests: problems, storage hierarchies, mappings, their exact cost, and the search for good ones."""
