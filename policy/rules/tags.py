"""Rules on tags."""

import re
from collections.abc import Iterator, Mapping

from policy.rules.rule import rule, violation
from policy.rules.stack_model import Stack, Violation, is_known, tags_of

COST_TAGS = ("Environment", "Project", "Team", "CostCenter", "ManagedBy")


@rule("The decision of cost allocation tags on every resource, settings/model.py")
def cost_tags_are_set(stack: Stack) -> Iterator[Violation]:
    """Every provider adds the same cost allocation tags."""
    for provider in stack.providers:
        tags = tags_of(provider)
        if missing := [tag for tag in COST_TAGS if not tags.get(tag)]:
            yield violation(
                provider, "defaultTags", f"Missing tags: {', '.join(missing)}. Add them to the default tags."
            )
        elif dict(tags) != dict(stack.default_tags):
            yield violation(
                provider, "defaultTags", "The default tags differ between the providers. Use the same tags for both."
            )


@rule("Tag naming limits and requirements, Tagging AWS resources user guide")
def tags_match_aws_limits(stack: Stack) -> Iterator[Violation]:
    """A resource has at most 50 tags; keys and values have valid lengths and characters, and no key starts with `aws:`."""
    for r in (*stack.providers, *stack.aws_resources):
        own = tags_of(r) if r in stack.providers else r.get("tags") or {}
        if not isinstance(own, Mapping):
            continue
        if len({*own, *stack.default_tags}) > 50:
            yield violation(r, "tags", f"There are {len({*own, *stack.default_tags})} tags. Use at most 50.")
        for key, value in own.items():
            is_invalid = is_known(value) and re.fullmatch(r"[\w\s+\-=.:/@]{0,256}", str(value)) is None
            if is_invalid or not re.fullmatch(r"(?!aws:)[\w\s+\-=.:/@]{1,128}", key, re.IGNORECASE):
                yield violation(
                    r, f"tags.{key}", "AWS refuses this key or value. Use letters, digits, spaces and + - = . _ : / @."
                )
