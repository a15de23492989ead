"""Searchers behind one ask/tell contract."""
