"""Claims about optimization methods, each checked by code that anyone can rerun."""


def __getattr__(name: str) -> str:
    if name == "__version__":
        from importlib.metadata import version

        return version("ratewitness")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
