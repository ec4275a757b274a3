"""ConvShareViT: a vision transformer whose linear layers are convolutions with kernels shared by all tokens.

Ibadulla, Chen and Reyes-Aldasoro, "ConvShareViT: Enhancing Vision Transformers with Convolutional Attention
Mechanisms for Free-Space Optical Accelerators", arXiv 2504.11517 (2025); IEEE TNNLS 2026, DOI
10.1109/TNNLS.2026.3689450.

Published: the idea (every linear layer of attention and MLP becomes a depthwise convolution over the token images
whose weights all tokens share), the data set (CIFAR-100), and that valid padding learns attention while same padding
does not. Not published in an accessible form: image size, token count and size, kernels, depth, heads. Chosen here:

- embedding, token grid, depth and heads of the authors' precursor code (github.com/riadibadulla/FCSA,
  ConvolutionalTransformer.py): images scaled to 72x72, a transposed convolution with a 25x25 kernel to one 96x96
  plane, 12x12 tokens of 8x8 pixels and a class token, 8 blocks, 4 full-width heads whose results are added, an MLP
  of twice the width, a head of 64-256-128-100;
- ``padding="valid"``: the kernel is as large as the token, so that each of the 64 (MLP: 128) kernels gives one number
  a token; this is exactly the linear layer that it replaces;
- ``padding="same"``: one 7x7 kernel (MLP: two, then one over two planes) that keeps the token's size;
- one output projection after the heads are added.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

SIDE = 8
GRID = 12
TOKENS = GRID * GRID + 1


class SharedConv(nn.Module):
    """``planes`` token images in, ``out`` token images out, the same kernels for every token.

    Input and output (N, tokens, planes, 8, 8). The tokens are the batch of an ordinary convolution.
    """

    def __init__(self, planes: int, out: int, padding: str) -> None:
        super().__init__()
        self.out, self.valid = out, padding == "valid"
        kernels, size, pad = (out * SIDE * SIDE, SIDE, 0) if self.valid else (out, 7, 3)
        self.conv = nn.Conv2d(planes, kernels, size, padding=pad)

    def forward(self, x: Tensor) -> Tensor:
        images, tokens = x.shape[:2]
        y: Tensor = self.conv(x.reshape(images * tokens, *x.shape[2:]))
        return y.reshape(images, tokens, self.out, SIDE, SIDE)


class Head(nn.Module):
    """Full-width attention: query, key and value by shared convolutions, softmax(Q K^T / 8) V over token vectors."""

    def __init__(self, padding: str) -> None:
        super().__init__()
        self.query, self.key, self.value = (SharedConv(1, 1, padding) for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (part(x).flatten(2) for part in (self.query, self.key, self.value))
        y = functional.scaled_dot_product_attention(q, k, v)
        return y.reshape(x.shape)


class Block(nn.Module):
    """Attention and MLP, each after a normalisation over the token image and with a shortcut."""

    def __init__(self, heads: int, padding: str) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm([SIDE, SIDE])
        self.heads = nn.ModuleList(Head(padding) for _ in range(heads))
        self.project = SharedConv(1, 1, padding)
        self.norm2 = nn.LayerNorm([SIDE, SIDE])
        self.expand = SharedConv(1, 2, padding)
        self.act = nn.GELU()
        self.reduce = SharedConv(2, 1, padding)

    def forward(self, x: Tensor) -> Tensor:
        normal = self.norm1(x)
        mixed = self.heads[0](normal)
        for head in self.heads[1:]:
            mixed = mixed + head(normal)
        x = x + self.project(mixed)
        y: Tensor = x + self.reduce(self.act(self.expand(self.norm2(x))))
        return y


class ConvShareViT(nn.Module):
    """Input (N, 3, 72, 72), output (N, 100). ``padding`` is ``valid`` or ``same``; raises ``ValueError`` else."""

    def __init__(self, padding: str = "valid", depth: int = 8, heads: int = 4) -> None:
        super().__init__()
        if padding not in ("valid", "same"):
            raise ValueError(f"padding: found {padding!r}, allowed valid, same")
        self.embed = nn.ConvTranspose2d(3, 1, 25)
        self.embed_act = nn.GELU()
        self.class_token = nn.Parameter(torch.zeros(1, 1, 1, SIDE, SIDE))
        self.position = nn.Parameter(torch.zeros(1, TOKENS, 1, SIDE, SIDE))
        self.blocks = nn.Sequential(*(Block(heads, padding) for _ in range(depth)))
        self.norm = nn.LayerNorm([SIDE, SIDE])
        self.head = nn.Sequential(
            nn.Linear(SIDE * SIDE, 256), nn.GELU(), nn.Linear(256, 128), nn.GELU(), nn.Linear(128, 100)
        )

    def forward(self, x: Tensor) -> Tensor:
        images = x.shape[0]
        plane = self.embed_act(self.embed(x)).reshape(images, GRID, SIDE, GRID, SIDE)
        tokens = plane.transpose(2, 3).reshape(images, GRID * GRID, 1, SIDE, SIDE)
        first = self.class_token.expand(images, -1, -1, -1, -1)
        tokens = torch.cat((first, tokens), 1) + self.position
        logits: Tensor = self.head(self.norm(self.blocks(tokens))[:, 0].flatten(1))
        return logits


def convsharevit(padding: str = "valid") -> ConvShareViT:
    """The network with the choices above."""
    return ConvShareViT(padding)
