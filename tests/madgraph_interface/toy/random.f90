! Random numbers: seeded at the first call of ntuple, and out of order before.

subroutine ntuple(x, a, b, ii, jconfig)
  implicit none
  double precision :: x, a, b
  integer :: ii, jconfig, offset, status
  logical :: seeded = .false.
  integer(8) :: state = -1
  common /toy_random/ state
  if (.not. seeded) then
    seeded = .true.
    offset = 0
    open (22, file='moffset.dat', status='old', iostat=status)
    if (status == 0) then
      read (22, *) offset
      close (22)
    end if
    state = 987654321_8 + 7919_8 * offset + jconfig
  end if
  call ranmar(x)
  x = a + x * (b - a)
end subroutine ntuple

subroutine ranmar(x)
  implicit none
  double precision :: x
  integer(8) :: state, mixed
  common /toy_random/ state
  if (state < 0) stop 'the random numbers were not seeded'
  ! The minimal standard generator of Park and Miller, twice for the digits.
  state = mod(48271_8 * state, 2147483647_8)
  mixed = state
  state = mod(48271_8 * state, 2147483647_8)
  x = (dble(mixed) + dble(state) / 2147483647d0) / 2147483648d0
end subroutine ranmar
