/* mcbridge.h: the C interface of binnis' samplers for event generators.
 *
 * A generator opens a sampler file, supplies uniform random numbers of its own, and gets points of the unit hypercube
 * with their density; it records points for training. All functions may be called from any thread; a sampler can be
 * used by several threads at once, a recorder by one at a time. There is no global state, and no exception crosses
 * this border: functions return MCB_OK or an error code, and write one sentence into `message` (which may be null).
 */
#ifndef MCBRIDGE_H
#define MCBRIDGE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define MCB_API __attribute__((visibility("default")))
#else
#define MCB_API
#endif

#define MCB_OK 0
#define MCB_ERROR_FILE 1     /* the file is missing, damaged or of another version */
#define MCB_ERROR_ARGUMENT 2 /* null pointer, channel or number out of range */
#define MCB_ERROR_INTERNAL 3 /* out of memory and the like */

typedef struct mcb_sampler mcb_sampler;
typedef struct mcb_recorder mcb_recorder;

/* Version of this interface: major * 1000 + minor. A larger major number is not compatible. */
MCB_API int mcb_version(void);

/* Open a sampler file. On success *sampler must be closed with mcb_close. */
MCB_API int mcb_open(const char *path, mcb_sampler **sampler, char *message, size_t message_size);
MCB_API void mcb_close(mcb_sampler *sampler);

/* Number of channels; -1 for a null sampler. */
MCB_API int mcb_channels(const mcb_sampler *sampler);
/* Number of coordinates of a point of a channel; -1 where there is no such channel. */
MCB_API int mcb_dimension(const mcb_sampler *sampler, int channel);
/* Number of uniform random numbers that one point needs; -1 where there is no such channel. */
MCB_API int mcb_uniforms(const mcb_sampler *sampler, int channel);
/* The metadata (JSON) of the file; valid until the sampler is closed. */
MCB_API const char *mcb_metadata(const mcb_sampler *sampler);

/* Draw n points from uniforms r[n][mcb_uniforms] in [0, 1): points u[n][mcb_dimension] and their density[n] per unit
 * volume of the hypercube. The weight of a point is f(u) / density. */
MCB_API int mcb_sample(const mcb_sampler *sampler, int channel, size_t n, const double *r, double *u, double *density,
                       char *message, size_t message_size);

/* Density[n] at any points u[n][mcb_dimension]; 0 outside the hypercube. */
MCB_API int mcb_density(const mcb_sampler *sampler, int channel, size_t n, const double *u, double *density,
                        char *message, size_t message_size);

/* Number of replicas of the Bayesian flow in the file; 0 where it has none, -1 for a null sampler. */
MCB_API int mcb_replicas(const mcb_sampler *sampler);
/* Densities density[mcb_replicas][n] of any points u[n][mcb_dimension] of a channel under every replica, without the
 * defensive mixture; 0 outside the hypercube. Their mean over the replicas is the Bayesian density p, and the weight of
 * an event under replica m its own weight times density[m] / p. The channel must have a flow. */
MCB_API int mcb_replica_densities(const mcb_sampler *sampler, int channel, size_t n, const double *u, double *density,
                                  char *message, size_t message_size);

/* Record points for training: u[n][dim], the integrand's weight f(u)[n], and the density[n] they were drawn with.
 * The file begins with the text "MCBRECD1" and int64 dim; each point is dim + 3 doubles: channel, u, weight, density. */
MCB_API int mcb_record_open(const char *path, int dim, mcb_recorder **recorder, char *message, size_t message_size);
MCB_API int mcb_record(mcb_recorder *recorder, int channel, size_t n, const double *u, const double *weight,
                       const double *density, char *message, size_t message_size);
/* Flush and close; an error means that points are missing from the file. */
MCB_API int mcb_record_close(mcb_recorder *recorder, char *message, size_t message_size);

#ifdef __cplusplus
}
#endif

#endif
