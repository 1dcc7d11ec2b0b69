"""The perceptual study: which of two pictures is real? (Isola et al. 2017, section 4.1; Zhu et al.
2017, section 5.1.1)."""
