! A sampler with the calls, the common blocks and the files of MadEvent's, for a known integral.
! Input as MadEvent's: points and iterations, accuracy, grid mode, two switches, channel.

program toy
  implicit none
  integer :: ncall, itmax, itmin, i, channel
  double precision :: accur
  integer :: use_cut
  common /to_accuracy/ accur
  common /to_weight/ use_cut
  read (*, *) ncall, itmax, itmin
  read (*, *) accur
  read (*, *) use_cut
  read (*, *) i
  read (*, *) i
  read (*, *) channel
  call sample_full(3, ncall, itmax, itmin, channel)
end program toy

subroutine sample_full(ndim, ncall, itmax, itmin, channel)
  implicit none
  integer, intent(in) :: ndim, ncall, itmax, itmin, channel
  integer, parameter :: ng = 24, most = 8
  integer, parameter :: unwgt_most = 200000
  double precision :: tmean, trmean, tsigma, accur, twgt, maxwgt, swgt(unwgt_most)
  integer :: dim, events, itm, kn, cur_it, invar, configs, use_cut, lun, nw, least
  common /sample_common/ tmean, trmean, tsigma, dim, events, itm, kn, cur_it, invar, configs
  common /to_accuracy/ accur
  common /to_weight/ use_cut
  common /to_unwgt/ twgt, maxwgt, swgt, lun, nw, least
  double precision :: grid(0:ng, most), sums(ng, most)
  integer :: lastbin(most)
  common /toy_grid/ grid, sums, lastbin
  double precision, external :: dsig
  double precision :: xmean(99), xsigma(99), xwmax(99), xeff(99), xrmean(99)
  common /to_iterations/ xmean, xsigma, xwmax, xeff, xrmean
  double precision :: wgt, x(most), p(most), fx, mean, squares, error, total, weights, none
  integer :: i, j, ninvar, mincfig, written
  common /to_eventswritten/ written
  logical :: there

  dim = ndim; events = ncall; itm = itmax; kn = 0; cur_it = 1; invar = ndim; configs = 1
  ninvar = ndim; mincfig = channel; twgt = -2d0; lun = 27; nw = 0; written = 0
  do j = 1, most
    grid(:, j) = [(dble(i) / ng, i=0, ng)]
  end do
  inquire (file='ftn25', exist=there)
  if (there) then
    open (25, file='ftn25', status='old')
    read (25, *) ((grid(i, j), i=0, ng), j=1, ndim)
    read (25, *) twgt
    close (25)
  end if

  do while (cur_it <= itm)
    mean = 0d0; squares = 0d0; sums = 0d0
    do i = 1, events
      wgt = 1d0 / (dble(events) * dble(itm))
      x = 0d0
      call x_to_f_arg(ndim, channel, mincfig, mincfig, ninvar, wgt, x, p)
      fx = 0d0
      if (x(1) > 0.02d0) fx = dsig(p, wgt, 0)
      wgt = wgt * fx
      kn = kn + 1
      do j = 1, ndim
        sums(lastbin(j), j) = sums(lastbin(j), j) + abs(wgt)
      end do
      mean = mean + wgt * itm
      squares = squares + (wgt * itm * events)**2
      call unwgt(wgt)
    end do
    error = sqrt(max(squares / events - mean**2, 1d-30) / events)
    write (*, *) 'iteration', cur_it, mean, error
    xmean(cur_it) = mean; xrmean(cur_it) = mean; xsigma(cur_it) = error
    if (use_cut /= 0) call adapt(ndim)
    cur_it = cur_it + 1
    events = 2 * events
    twgt = mean / (dble(itm) * events)
    none = dsig(p, wgt, 2)
    call store_events(-1d0, .true.)
    if (cur_it > itmin .and. accur > 0d0 .and. error / mean < accur) exit
    if (cur_it > itmin .and. accur < 0d0 .and. written > -accur * mean) exit
    if (cur_it > itm) exit
    call clear_events
  end do
  total = 0d0; weights = 0d0 ! the last three iterations
  do i = max(1, cur_it - 3), cur_it - 1
    total = total + xmean(i) / xsigma(i)**2
    weights = weights + 1d0 / xsigma(i)**2
  end do
  open (66, file='results.dat', status='unknown')
  write (66, '(3e12.5,2i9,i5,i9,e10.3,e12.5,3e13.5,i9)') total / weights, 1d0 / sqrt(weights), 0d0, kn, kn, cur_it - 1, written, &
    0d0, twgt, total / weights, 0d0, 0d0, 0
  close (66)
  if (use_cut /= 0) call write_grid('ftn26', ndim)
  call write_grid('grid_end', ndim)
end subroutine sample_full

subroutine write_grid(name, ndim)
  implicit none
  character(*), intent(in) :: name
  integer, intent(in) :: ndim
  integer, parameter :: ng = 24, most = 8, unwgt_most = 200000
  double precision :: grid(0:ng, most), sums(ng, most), twgt, maxwgt, swgt(unwgt_most)
  integer :: lastbin(most), i, j, lun, nw, itmin
  common /toy_grid/ grid, sums, lastbin
  common /to_unwgt/ twgt, maxwgt, swgt, lun, nw, itmin
  open (26, file=name, status='unknown')
  write (26, '(4f21.17)') ((grid(i, j), i=0, ng), j=1, ndim)
  write (26, *) twgt
  close (26)
end subroutine write_grid

! Equal shares of the weight between the knots, half of the way.
subroutine adapt(ndim)
  implicit none
  integer, intent(in) :: ndim
  integer, parameter :: ng = 24, most = 8
  double precision :: grid(0:ng, most), sums(ng, most), new(0:ng), share(ng), sum_before, target
  integer :: lastbin(most), i, j, k
  common /toy_grid/ grid, sums, lastbin
  do j = 1, ndim
    share = 0.5d0 * sums(:, j) / max(sum(sums(:, j)), 1d-300) + 0.5d0 / ng
    new(0) = 0d0; new(ng) = 1d0; k = 1; sum_before = 0d0
    do i = 1, ng - 1
      target = dble(i) / ng
      do while (sum_before + share(k) < target .and. k < ng)
        sum_before = sum_before + share(k); k = k + 1
      end do
      new(i) = grid(k - 1, j) + (grid(k, j) - grid(k - 1, j)) * (target - sum_before) / share(k)
    end do
    grid(:, j) = new
  end do
end subroutine adapt

! A coordinate between two limits, by a random number between the places of the limits on the grid.
subroutine sample_get_x(wgt, x, j, config, xmin, xmax)
  implicit none
  double precision :: wgt, x, xmin, xmax
  integer :: j, config
  integer, parameter :: ng = 24, most = 8
  double precision :: grid(0:ng, most), sums(ng, most), low, high, place
  integer :: lastbin(most), k
  common /toy_grid/ grid, sums, lastbin
  double precision, external :: xbin
  low = xbin(xmin, j); high = xbin(xmax, j)
  call ntuple(place, low, high, j, config)
  k = min(int(place), ng - 1)
  x = grid(k, j) + (place - k) * (grid(k + 1, j) - grid(k, j))
  lastbin(j) = k + 1
  wgt = wgt * (grid(k + 1, j) - grid(k, j)) * (high - low)
end subroutine sample_get_x

double precision function xbin(x, j)
  implicit none
  double precision, intent(in) :: x
  integer, intent(in) :: j
  integer, parameter :: ng = 24, most = 8
  double precision :: grid(0:ng, most), sums(ng, most)
  integer :: lastbin(most), k
  common /toy_grid/ grid, sums, lastbin
  k = 0
  do while (k < ng - 1 .and. x >= grid(k + 1, j))
    k = k + 1
  end do
  xbin = k + (x - grid(k, j)) / (grid(k + 1, j) - grid(k, j))
end function xbin
