package chattemplate

// pprint is Python's pprint.pformat() for what fits one line of 80 columns.
func pprint(s *state, v value) (value, error) {
	t, err := s.repr(v)
	return t, err
}
