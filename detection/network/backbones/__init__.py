"""The networks of the paper's comparison, cut to a stride of 8, with torchvision's names for their weights."""

from detection.network.backbones.alexnet import AlexNet
from detection.network.backbones.base import Backbone
from detection.network.backbones.densenet import DenseNet121
from detection.network.backbones.narrow import Narrow
from detection.network.backbones.resnet import ResNet50
from detection.network.backbones.vgg import VGG16
from detection.presets import Backbone as Name

KINDS: dict[Name, type[Backbone]] = {
    "vgg16": VGG16,
    "alexnet": AlexNet,
    "resnet50": ResNet50,
    "densenet121": DenseNet121,
    "narrow": Narrow,
}

__all__ = ["KINDS", "Backbone"]
