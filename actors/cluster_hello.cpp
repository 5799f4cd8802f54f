#include "actors/cluster_hello.hpp"

#include <charconv>
#include <sstream>

namespace holdfast::actors {

std::string encode(const cluster_hello& hello) {
    return "address=" + hello.address + " segment=" + std::to_string(hello.segment_bytes) +
           " empty=" + (hello.has_empty_log ? "1" : "0") + " reads=" + (hello.serves_reads ? "1" : "0") +
           " full=" + (hello.is_full ? "1" : "0");
}

std::optional<cluster_hello> decode_cluster_hello(const std::string& text) {
    cluster_hello hello;
    bool says_emptiness = false;
    std::istringstream words{text};
    for (std::string word; words >> word;) {
        const auto equals = word.find('=');
        if (equals == std::string::npos)
            return std::nullopt;
        const auto name = word.substr(0, equals);
        const auto value = word.substr(equals + 1);
        if (name == "address") {
            hello.address = value;
        } else if (name == "segment") {
            const auto* const end = value.data() + value.size();
            if (std::from_chars(value.data(), end, hello.segment_bytes).ptr != end)
                return std::nullopt;
        } else if (name == "empty") {
            hello.has_empty_log = value == "1";
            says_emptiness = true;
        } else if (name == "reads") {
            hello.serves_reads = value == "1";
        } else if (name == "full") {
            hello.is_full = value == "1";
        }
    }
    if (hello.address.empty() || hello.segment_bytes == 0 || !says_emptiness)
        return std::nullopt;
    return hello;
}

} // namespace holdfast::actors
