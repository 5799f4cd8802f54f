// What nodes of a group tell each other about themselves beside name and incarnation, as one line of text:
// "address=10.0.0.1:10911 segment=1073741824 empty=0 reads=1 full=0".
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace holdfast::actors {

struct cluster_hello {
    std::string address;             // where clients reach it
    std::uint64_t segment_bytes = 0; // the log's; must agree, or positions would not
    bool has_empty_log = false;
    bool serves_reads = false; // while it follows; not said: false
    bool is_full = false;      // its disk: it would refuse messages; not said: false
    friend bool operator==(const cluster_hello&, const cluster_hello&) = default;
};

[[nodiscard]] std::string encode(const cluster_hello& hello);
// Words that it does not know are passed over: a later version may say more.
[[nodiscard]] std::optional<cluster_hello> decode_cluster_hello(const std::string& text);

} // namespace holdfast::actors
