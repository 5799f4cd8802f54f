// The part of an audit that looks at one entry: the form of its commands and the stored records in it.
#pragma once

#include "broker/audit_report.hpp"
#include "broker/state.hpp"
#include "storage/log_scanner.hpp"

#include <string>

namespace holdfast::broker {

// Checks a verified entry and counts what is in it. `file` is the segment it is in. `known`: the state before
// the entry, for comparing topic ids with names; null when it is not known. Returns whether the entry can be
// applied.
bool check_entry(const storage::scanned_entry& entry, const std::string& file, const state* known,
                 audit_report& report);

} // namespace holdfast::broker
