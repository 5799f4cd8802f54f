#include "storage/key_entry.hpp"

#include <xxhash.h>

#include <array>
#include <cstring>
#include <string>

namespace holdfast::storage {

std::uint64_t hash_key(std::string_view topic, std::string_view key) {
    // Nearly all are short; the streaming form costs more than the copy.
    std::array<char, 256> joined;
    if (topic.size() + 1 + key.size() <= joined.size()) {
        std::memcpy(joined.data(), topic.data(), topic.size());
        joined[topic.size()] = '#';
        std::memcpy(joined.data() + topic.size() + 1, key.data(), key.size());
        return XXH3_64bits(joined.data(), topic.size() + 1 + key.size());
    }
    std::string text{topic};
    text.append("#").append(key);
    return XXH3_64bits(text.data(), text.size());
}

} // namespace holdfast::storage
