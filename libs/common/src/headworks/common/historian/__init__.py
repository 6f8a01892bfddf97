"""Historian files, CSV or XLSX: read by a mapping of the site file, judged value by value, held in SI. Nothing is mended."""
