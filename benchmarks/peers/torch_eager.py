"""PyTorch as its tutorials show: one network, eager, SGD and ExponentialLR."""

import mnist_files
import numpy as np
import torch

settings = mnist_files.arguments()
train_images, train_labels = map(torch.from_numpy, mnist_files.images(settings.data_dir, "train"))
test_images, test_labels = map(torch.from_numpy, mnist_files.images(settings.data_dir, "t10k"))


def run() -> float:
    torch.manual_seed(0)
    model = torch.nn.Sequential(
        torch.nn.Linear(784, 128), torch.nn.ReLU(), torch.nn.Linear(128, 10)
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.96)
    loss = torch.nn.CrossEntropyLoss()
    order = torch.from_numpy(np.random.default_rng(0).permutation(len(train_images)))
    for batch in order[: settings.steps * mnist_files.BATCH_SIZE].reshape(settings.steps, -1):
        optimizer.zero_grad()
        loss(model(train_images[batch]), train_labels[batch]).backward()
        optimizer.step()
    scheduler.step()
    with torch.no_grad():
        return float((model(test_images).argmax(1) == test_labels).float().mean())


mnist_files.report(run, settings.steps, settings.runs, {"torch": torch.__version__})
