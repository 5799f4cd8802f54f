// What the JSON bodies share: parsing with fastjson's liberties, reading members in all dialects, writing.
// For the .cpp files of this room only: nlohmann/json.hpp is heavy.
#pragma once

#include "base/bytes.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"
#include "protocol/limits.hpp"

#include <nlohmann/json.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::protocol {

using json_value = nlohmann::json;

// Parses a body that must be an object. Takes what fastjson writes beyond the standard (protocol
// reference 1.1, T10): unquoted keys, which become texts, and objects as keys, which become the text of that
// object. Size and depth are bounded. `what` begins the error text.
[[nodiscard]] result<json_value> parse_json_body(byte_view body, std::string_view what,
                                                 std::size_t max_bytes = limits::max_json_answer_bytes);

// Without whitespace, `/` as it is, bad UTF-8 replaced: for the strictest reader (T10).
[[nodiscard]] std::string dump_json(const json_value& value);

// Reads the members of one object and remembers the first thing that was wrong. A member that is missing or
// null leaves the target as it is, unless it is `required`.
class json_reader {
  public:
    json_reader(const json_value& object, std::string_view what) : object_(object), what_(what) {
        if (!object.is_object())
            fail("must be an object");
    }

    void text(const char* key, std::string& to);
    void required_text(const char* key, std::string& to);
    // Numbers may stand as texts: C++ and Go do that.
    void number(const char* key, std::int64_t& to);
    void number(const char* key, std::int32_t& to);
    void number(const char* key, queue_offset& to);
    void number(const char* key, timestamp_ms& to);
    void boolean(const char* key, bool& to);
    void texts(const char* key, std::vector<std::string>& to);
    void numbers(const char* key, std::vector<std::int32_t>& to);

    // The member if it is there and not null, and an array or object as said; else an empty one.
    [[nodiscard]] const json_value& array(const char* key);
    [[nodiscard]] const json_value& object(const char* key);
    [[nodiscard]] const json_value* find(const char* key) const;

    // An enum by name or by ordinal in `names`; what is unknown leaves the default, as in fastjson.
    template <class Enum, std::size_t Count>
    void enumeration(const char* key, const std::array<std::string_view, Count>& names, Enum& to) {
        const json_value* const value = find(key);
        if (!value)
            return;
        std::int64_t ordinal = -1;
        if (value->is_string()) {
            const auto& name = value->get_ref<const std::string&>();
            for (std::size_t i = 0; i < Count; ++i)
                if (names[i] == name)
                    ordinal = static_cast<std::int64_t>(i);
        } else if (const auto integer = integer_of(*value)) {
            ordinal = *integer;
        }
        if (ordinal >= 0 && ordinal < static_cast<std::int64_t>(Count))
            to = static_cast<Enum>(ordinal);
    }

    [[nodiscard]] const std::optional<error>& failure() const { return failure_; }

  private:
    [[nodiscard]] static std::optional<std::int64_t> integer_of(const json_value& value);
    void fail(const std::string& why);

    const json_value& object_;
    std::string what_;
    std::optional<error> failure_;
};

} // namespace holdfast::protocol
