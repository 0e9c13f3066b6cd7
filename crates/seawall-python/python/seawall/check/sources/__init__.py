"""Where places are found: one file a framework. Each brings what it read into the world, and judges nothing."""
