"""Converts the schedules of other libraries to this one's, and back to Keras and PyTorch."""

from __future__ import annotations

from jaxdecay.migration import timm_factory as timm_factory  # registers its names
from jaxdecay.migration import timm_wsd as timm_wsd
from jaxdecay.migration import torch_sequences as torch_sequences
from jaxdecay.migration.keras import from_keras as from_keras
from jaxdecay.migration.keras import keras_schedule_class as keras_schedule_class
from jaxdecay.migration.keras import to_keras as to_keras
from jaxdecay.migration.optax import from_optax as from_optax
from jaxdecay.migration.timm import from_timm as from_timm
from jaxdecay.migration.torch import from_torch as from_torch
from jaxdecay.migration.torch import to_torch as to_torch
from jaxdecay.migration.transformers import from_transformers as from_transformers
