! Three coordinates; the limits of the third depend on the first, and one random number more makes a choice.

subroutine x_to_f_arg(ndim, iconfig, mincfig, maxcfig, invar, wgt, x, p)
  implicit none
  integer :: ndim, iconfig, mincfig, maxcfig, invar
  double precision :: wgt, x(*), p(*), choice
  call sample_get_x(wgt, x(3), 3, mincfig, 0d0, 1d0)
  call sample_get_x(wgt, x(1), 1, mincfig, 0d0, 1d0)
  call sample_get_x(wgt, x(2), 2, mincfig, 0.5d0 * x(1), 1d0)
  call ntuple(choice, 0d0, 1d0, 0, iconfig)
  p(1:3) = x(1:3)
  p(4) = choice
end subroutine x_to_f_arg
