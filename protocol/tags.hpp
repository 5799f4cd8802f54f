// Tags: their hash and the expressions that select them (protocol reference 5.6, 6.10, T21).
#pragma once

#include "base/result.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::protocol {

// Java's String.hashCode of a UTF-8 text: over its UTF-16 units, so that a character beyond the BMP counts as
// two. Malformed UTF-8 counts as Java decodes it: U+FFFD for each maximal broken piece. "TagA" is 2598919.
[[nodiscard]] std::int32_t java_hash(std::string_view utf8);

// The code kept in the queue index: the hash of the one tag, sign-extended; 0 for no tag.
[[nodiscard]] std::int64_t tags_code(std::string_view tag);

// A tag expression: "*" (or nothing) selects everything, "A || B" the tags named. Selection by hash may
// select too much, never too little; clients filter again by text.
class tag_filter {
  public:
    tag_filter() = default;

    // Fails on an expression that names no tag at all, such as "||".
    [[nodiscard]] static result<tag_filter> parse(std::string_view expression);

    [[nodiscard]] bool selects_all() const { return hashes_.empty(); }
    [[nodiscard]] bool matches(std::int64_t code) const {
        if (hashes_.empty())
            return true;
        for (const std::int32_t hash : hashes_)
            if (hash == static_cast<std::int32_t>(code))
                return true;
        return false;
    }
    // Exact, by text: what a consumer does after the broker filtered by hash.
    [[nodiscard]] bool matches_tag(std::string_view tag) const;

    [[nodiscard]] const std::vector<std::string>& tags() const { return tags_; }
    [[nodiscard]] const std::vector<std::int32_t>& hashes() const { return hashes_; }

  private:
    std::vector<std::string> tags_;
    std::vector<std::int32_t> hashes_;
};

} // namespace holdfast::protocol
