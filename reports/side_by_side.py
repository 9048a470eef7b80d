"""To go once no step imports it: hw/forms.py has the forms."""

from hw import forms

GENERATED, RECONFIGURABLE = forms.GENERATED.name, forms.RECONFIGURABLE.name
