"""The Keras networks: grayscale in, class-activation maps and logits out; one file each.

Every network takes (N, size, size, 1) float32 in [-1, 127/128] and returns two tensors:
`logits` (N, L) and `map` (N, h, w, L) of L labels. The map is a 1×1 convolution on the last
features and the logits are its spatial mean, so that the evidence of a score can be shown at no
cost (class activation mapping: Zhou et al., CVPR 2016). There is no sigmoid in the graph: an int8
sigmoid cannot tell rare labels' scores apart.
"""
