// Builds again what is derived from the log: the derived store and the key index, for `holdfast audit
// --repair-derived`. Plain functions, no actor runs.
#pragma once

#include "base/result.hpp"

#include <filesystem>

namespace holdfast::actors {

// Takes the lock of the data directory, removes both and builds them anew from the whole log; they are on the
// disk when this returns. The caller has audited the log and found nothing wrong: a log whose end was lost
// can't be told from a whole one once the derived store is gone. errc::unavailable while a node runs.
result<void> repair_derived(const std::filesystem::path& directory);

} // namespace holdfast::actors
