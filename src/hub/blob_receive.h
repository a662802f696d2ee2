// Takes a blob out of a request's body.
#pragma once

#include <string>

#include "blob/blob_store.h"
#include "net/async.h"
#include "net/server.h"

namespace hearth::hub {

// On disk when it is done. Errors: those of blob::Writer, and of the request's body.
net::Async<Result<void>> receive_blob(net::Exchange& exchange, blob::BlobStore& blobs, net::Workers& workers,
                                      const std::string& digest);

// The HTTP status that says so.
unsigned blob_status(Code code);

}  // namespace hearth::hub
