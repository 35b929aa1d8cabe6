! 100 pb: two Gaussian peaks on the diagonal of coordinates 1 and 3, and 2 x / (1 - x1^2 / 4) in coordinate 2, whose
! integral from x1 / 2 to 1 is 1. A subprocess is picked at random, as MadEvent does it.

double precision function dsig(p, wgt, imode)
  implicit none
  double precision :: p(*), wgt, r
  integer :: imode
  double precision, parameter :: width = 0.05d0, pi = 3.14159265358979d0
  dsig = 0d0
  if (imode /= 0) return
  dsig = 50d0 * (peak(0.3d0) + peak(0.7d0)) * 2d0 * p(2) / (1d0 - 0.25d0 * p(1)**2)
  call ranmar(r)
  if (r < 0.25d0) then ! a part of 0.4 of the cross section
    dsig = 0.4d0 * dsig; wgt = wgt / 0.25d0
  else
    dsig = 0.6d0 * dsig; wgt = wgt / 0.75d0
  end if
contains
  double precision function peak(centre)
    double precision, intent(in) :: centre
    peak = exp(-((p(1) - centre)**2 + (p(3) - centre)**2) / (2d0 * width**2)) / (2d0 * pi * width**2)
  end function peak
end function dsig
