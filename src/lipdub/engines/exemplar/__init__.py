"""exemplar"""
