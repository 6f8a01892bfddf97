"""The systems that values come from, one file each; every fault is a SourceFault with its reason."""
