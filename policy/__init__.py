"""A CrossGuard policy pack: the rules of `policy/rules/`, checked by every `pulumi preview --policy-pack policy`."""
