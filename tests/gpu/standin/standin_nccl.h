// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "tests/gpu/standin/standin.h"

/// How tests steer the library that stands in for NCCL (libnccl.so.2). It copies and adds between the memories of the
/// stand-in driver's GPUs. Work in a stream waits for its peers: a message that nobody receives is never sent.
extern "C" {

void standinNcclReset(); ///< forgets faults, the log, the version; live communicators stay
/// The `call`-th call from now of `function` ("ncclSend") answers `result`.
void standinNcclFault(const char* function, int call, int result);
void standinNcclAsyncError(int rank, int result); ///< what ncclCommGetAsyncError answers for this rank
void standinNcclHang(int rank);                   ///< what this rank puts into its stream from now on never starts
void standinNcclStick(int rank);                  ///< its ncclGroupEnd does not return before it is aborted
void standinNcclVersion(int code);                ///< 22809
int standinNcclComms();                           ///< neither destroyed nor aborted
int standinNcclAborted();
/// The transfers and collectives so far, a line each: "0 -> 1: 400 bytes", "all-reduce of 100".
const char* standinNcclLog();
}
