"""Small networks trained on the digits of scikit-learn, and the conversion of a transformer to shared convolutions.

Imported only where torch is wanted. A shared convolution treats the features of a token as an image of side x side
pixels: one set of kernels serves every token. With ``valid`` padding and a kernel as large as the token each kernel
gives one number, so that a linear layer of ``planes * side^2`` features is exactly one such convolution, its weight
rows read as kernels; :func:`to_shared` uses that to convert a trained network. With ``same`` padding a small kernel
mixes neighbouring pixels only, which no linear layer converts to: it is trained from the start.

Idea: Ibadulla, Chen, Reyes-Aldasoro, "ConvShareViT", arXiv 2504.11517 (2025); sizes here are this project's.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

SIDE, GRID = 4, 4


class SharedConv(nn.Module):
    """``planes`` token images to ``out`` token images, the same kernels for every token; (..., planes * side^2)."""

    def __init__(self, planes: int, out: int, padding: str, side: int = SIDE) -> None:
        super().__init__()
        self.planes, self.side = planes, side
        kernels, size, pad = (out * side * side, side, 0) if padding == "valid" else (out, 3, 1)
        self.conv = nn.Conv2d(planes, kernels, size, padding=pad)

    def forward(self, x: Tensor) -> Tensor:
        """Tokens (..., planes * side^2) to (..., out * side^2)."""
        y: Tensor = self.conv(x.reshape(-1, self.planes, self.side, self.side))
        return y.reshape(*x.shape[:-1], -1)


class Attention(nn.Module):
    """Attention with full-width heads whose results are added; products of tokens stay electronic."""

    def __init__(self, heads: int, linear: Callable[[int, int], nn.Module]) -> None:
        super().__init__()
        self.parts = nn.ModuleList(nn.ModuleList(linear(1, 1) for _ in range(3)) for _ in range(heads))
        self.project = linear(1, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, tokens, side^2) to the same."""
        mixed = torch.zeros_like(x)
        for head in self.parts:
            assert isinstance(head, nn.ModuleList)
            query, key, value = (part(x) for part in head)
            mixed = mixed + functional.scaled_dot_product_attention(query, key, value)
        y: Tensor = self.project(mixed)
        return y


class Block(nn.Module):
    """Attention and an MLP of twice the width, each normalised and with a shortcut."""

    def __init__(self, heads: int, linear: Callable[[int, int], nn.Module]) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(SIDE * SIDE), nn.LayerNorm(SIDE * SIDE)
        self.attention = Attention(heads, linear)
        self.expand, self.reduce = linear(1, 2), linear(2, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, tokens, side^2) to the same."""
        x = x + self.attention(self.norm1(x))
        y: Tensor = x + self.reduce(functional.gelu(self.expand(self.norm2(x))))
        return y


class TokenNet(nn.Module):
    """A vision transformer on 16 x 16 digits: 16 tokens of 4 x 4 pixels; ``linear`` makes its layers."""

    def __init__(self, linear: Callable[[int, int], nn.Module], depth: int = 2, heads: int = 2) -> None:
        super().__init__()
        self.position = nn.Parameter(0.02 * torch.randn(1, GRID * GRID, SIDE * SIDE))
        self.embed = linear(1, 1)
        self.blocks = nn.Sequential(*(Block(heads, linear) for _ in range(depth)))
        self.norm = nn.LayerNorm(SIDE * SIDE)
        self.head = nn.Linear(GRID * GRID * SIDE * SIDE, 10)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 1, 8, 8) to (N, 10)."""
        big = functional.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
        tokens = functional.unfold(big, SIDE, stride=SIDE).transpose(1, 2)
        y = self.blocks(self.embed(tokens) + self.position)
        logits: Tensor = self.head(self.norm(y).flatten(1))
        return logits


def _linear(planes: int, out: int) -> nn.Module:
    return nn.Linear(planes * SIDE * SIDE, out * SIDE * SIDE)


def _shared(padding: str) -> Callable[[int, int], nn.Module]:
    return lambda planes, out: SharedConv(planes, out, padding)


def cnn() -> nn.Module:
    """Three convolutions and a linear layer; every input of a convolution is non-negative."""
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(16, 24, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(24, 32, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(128, 10),
    )


def mlp() -> nn.Module:
    """A perceptron with two hidden layers."""
    return nn.Sequential(
        nn.Flatten(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10)
    )


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "mlp": mlp,
    "cnn": cnn,
    "vit": lambda: TokenNet(_linear),
    "convsharevit_valid": lambda: TokenNet(_shared("valid")),
    "convsharevit_same": lambda: TokenNet(_shared("same")),
}


def to_shared(network: nn.Module, side: int = SIDE) -> nn.Module:
    """The network with every linear layer on tokens of side^2 features turned into a valid shared convolution.

    A layer is converted where its inputs and outputs are whole token images (multiples of side^2); weights are
    kept, so the converted network computes the same function. Other linear layers (the head) stay.
    """
    area = side * side
    for name, child in list(network.named_children()):
        if isinstance(child, nn.Linear) and child.in_features % area == 0 and child.out_features % area == 0:
            made = SharedConv(child.in_features // area, child.out_features // area, "valid", side)
            with torch.no_grad():
                made.conv.weight.copy_(child.weight.reshape(made.conv.weight.shape))
                if made.conv.bias is not None:
                    made.conv.bias.zero_() if child.bias is None else made.conv.bias.copy_(child.bias)
            setattr(network, name, made)
        else:
            to_shared(child, side)
    return network


def digits(seed: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Images (n, 1, 8, 8) in [0, 1] and labels: 1,347 to train, 450 to test, split by ``seed``.

    Raises ``ModuleNotFoundError`` without scikit-learn.
    """
    from sklearn.datasets import load_digits

    data = load_digits()
    images = torch.tensor(data.images, dtype=torch.float32)[:, None] / 16.0
    labels = torch.tensor(data.target, dtype=torch.long)
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
    train, test = order[:1347], order[1347:]
    return images[train], labels[train], images[test], labels[test]


def train(name: str, seed: int = 0, epochs: int = 30) -> nn.Module:
    """A network of :data:`NETWORKS` trained on digits; the same for equal arguments.

    Raises ``KeyError`` for an unknown name.
    """
    if name not in NETWORKS:
        raise KeyError(f"network {name!r}; allowed {', '.join(NETWORKS)}")
    # A caller may have gradients switched off; training needs them.
    with torch.enable_grad():
        torch.manual_seed(seed)
        network = NETWORKS[name]()
        images, labels, _, _ = digits(seed)
        optimiser = torch.optim.AdamW(network.parameters(), lr=3e-3, weight_decay=1e-3)
        steps = epochs * (len(labels) // 64)
        plan = torch.optim.lr_scheduler.OneCycleLR(optimiser, 6e-3, total_steps=steps)
        for _ in range(epochs):
            for batch in torch.randperm(len(labels))[: len(labels) // 64 * 64].reshape(-1, 64):
                optimiser.zero_grad()
                loss = functional.cross_entropy(network(images[batch]), labels[batch])
                torch.autograd.backward(loss)
                optimiser.step()
                plan.step()
        return network.eval()
