"""Pictures and colour spaces: files, codecs and panels, on numpy and libvips and without torch."""
