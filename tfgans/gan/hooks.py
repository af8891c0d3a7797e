"""The members of `GAN` that methods may override: each is marked where it is defined."""


def hook(member):
    """Marks a function of a base class as one that methods may extend or replace; under `@property`."""
    member.is_hook = True
    return member


def hooks_of(cls):
    """The names of the hooks of a class."""
    return {name for base in cls.__mro__ for name, member in vars(base).items() if is_hook(member)}


def is_hook(member):
    """Whether a member of a class, a function or a property, is marked."""
    return getattr(function_of(member), "is_hook", False)


def function_of(member):
    """The function behind a member of a class; the member itself if there is none."""
    return getattr(member, "fget", None) or getattr(member, "__func__", member)
