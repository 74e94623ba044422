"""The way of samples on a GPU: the evidence of `models.sampling`, and nothing else comes back.

Reading order: `hardware` (what is asked of a device), `passes` and `inputs` (one batch), `tallies`
(what becomes of its maps), `flight` (several batches at once), `sampler` (pieces in, evidence out).
It never reads a value on the way, so the host runs ahead of the device. All of it runs on the CPU
too, where it is tested.
"""
