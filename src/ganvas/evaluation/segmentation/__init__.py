"""The segmentation score: how well the classes of label maps are seen in translations of them."""
