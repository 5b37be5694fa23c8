"""A CrossGuard policy pack: the rules of `rules/`, checked by every `pulumi preview --policy-pack policy`."""
