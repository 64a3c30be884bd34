std = 'luajit'
max_line_length = 100

-- A type of the stubs cannot be broken over lines.
files['lua/px/_meta/*.lua'] = {
  globals = { 'px' }, max_comment_line_length = false, unused_args = false,
}
files['configs/rules/*.lua'] = { read_globals = { 'px' } }
