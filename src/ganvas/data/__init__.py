"""Sources of pictures: layouts, decoding, preparation, the endless sampler, samples, the check."""
