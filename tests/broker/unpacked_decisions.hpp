// A list of decisions as older builds wrote it, command kind 13.
#pragma once

#include "broker/delivery_records.hpp"
#include "broker/field_codec.hpp"

#include <string>
#include <vector>

namespace holdfast::broker::testing {

inline std::string encode_unpacked(const std::vector<decision>& decisions) {
    field_writer out;
    for (const auto& decided : decisions)
        out.put(decided.half.value())
            .put(decided.number)
            .put(decided.group_checksum)
            .put(static_cast<std::uint8_t>(decided.kind));
    return out.take();
}

} // namespace holdfast::broker::testing
