"""Models held against folders of reference data, one file per kind."""
