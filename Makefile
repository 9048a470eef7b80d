# to be completed
.venv/.installed: pyproject.toml constraints.txt
	test -x .venv/bin/python || python3 -m venv .venv
	.venv/bin/pip install --quiet --disable-pip-version-check --constraint constraints.txt '.[test]'
	touch $@
