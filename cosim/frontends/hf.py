"""Architectures of the transformers library: random weights on the meta device, never the hub.

A classification head has the 1000 classes of ImageNet-1k unless ``num_labels`` says otherwise (the library's own
default, 2, belongs to fine-tuning); the reference stored with a workload spells it out.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from typing import Any

from cosim.frontends.errors import ExtractError, missing_extra, spelled
from cosim.frontends.input_spec import InputSpec

IMAGENET_CLASSES = 1000


def build(name: str, arguments: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
    """(module on the meta device, effective arguments) for a configuration or model class of that name.

    A configuration stands for its image classifier if it has one, else for the bare network; a model class
    (``GPT2LMHeadModel``) for itself. Raises ``ExtractError`` for unknown names and arguments.
    """
    transformers = _library()
    import torch

    config_class, model_class = _classes(transformers, name)
    given = dict(arguments)
    if model_class.__name__.endswith("ForImageClassification"):
        given.setdefault("num_labels", IMAGENET_CLASSES)
    config = _config(config_class, given)
    try:
        with torch.device("meta"):
            module = model_class(config)
    except (ValueError, TypeError, RuntimeError, NotImplementedError, AttributeError) as error:
        raise ExtractError(f"hf:{name}: the model cannot be built with these arguments: {error}") from error
    return module, given


def default_inputs(module: Any) -> tuple[InputSpec, ...]:
    """The input of an image model, from its configuration; empty where only the user can say."""
    config = module.config
    size = getattr(config, "image_size", None)
    if getattr(module, "main_input_name", "") != "pixel_values" or size is None:
        return ()
    height, width = size if isinstance(size, list | tuple) else (size, size)
    return (InputSpec("", (1, int(getattr(config, "num_channels", 3)), int(height), int(width))),)


def version() -> str:
    """Version of the library."""
    return str(_library().__version__)


def _library() -> Any:
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("TRANSFORMERS_OFFLINE", "1")
    try:
        import transformers
    except ImportError:
        raise missing_extra("transformers", "transformers", "a model reference hf:...") from None
    logging.getLogger("transformers").setLevel(logging.ERROR)
    return transformers


def _classes(transformers: Any, name: str) -> tuple[Any, Any]:
    if name not in dir(transformers):
        names = [n for n in dir(transformers) if n.endswith(("Config", "Model", "ForImageClassification"))]
        hint = spelled(name, names)
        raise ExtractError(
            f"hf:{name}: transformers has no {name}, allowed a configuration or model class{hint}"
        )
    found = getattr(transformers, name)
    if not name.endswith("Config"):
        config_class = getattr(found, "config_class", None)
        if config_class is None:
            raise ExtractError(
                f"hf:{name}: found a {type(found).__name__} without a configuration, allowed a model"
            )
        return config_class, found
    from transformers.models.auto import modeling_auto

    for table in (modeling_auto.MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING, modeling_auto.MODEL_MAPPING):
        model = table.get(found, None)
        if model is not None:
            return found, (model[0] if isinstance(model, list | tuple) else model)
    raise ExtractError(
        f"hf:{name}: no model class is registered for it; name one, for instance hf:GPT2LMHeadModel"
    )


def _config(config_class: Any, arguments: Mapping[str, Any]) -> Any:
    config = config_class()
    known = set(config.to_dict()) | set(getattr(config, "attribute_map", {})) | {"num_labels"}
    for key in arguments:
        if key not in known:
            hint = spelled(key, known)
            raise ExtractError(
                f"hf:{config_class.__name__}: found argument {key!r}, allowed its fields{hint}"
            )
    try:
        config = config_class(**arguments)
    except (ValueError, TypeError) as error:
        raise ExtractError(f"hf:{config_class.__name__}: {error}") from error
    config.use_cache = False
    return config
