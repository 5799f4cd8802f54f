#include "protocol/json_body.hpp"

#include "protocol/header_fields.hpp"

#include <limits>

namespace holdfast::protocol {

namespace {

bool is_blank(char character) {
    return character == ' ' || character == '\n' || character == '\r' || character == '\t';
}

// Rewrites what fastjson writes into standard JSON, in one pass that knows texts, nesting and where keys
// stand. Whether the rest is well-formed is for the parser to say.
class fastjson_standardizer {
  public:
    explicit fastjson_standardizer(std::string_view text) : text_(text) { out_.reserve(text.size() + 64); }

    // False if the nesting is deeper than allowed or a key does not end.
    bool run() {
        while (at_ < text_.size()) {
            const char character = text_[at_];
            if (character == '"') {
                copy_text();
            } else if (expects_key() && !is_blank(character) && character != '}' && character != ',') {
                if (!(character == '{' ? quote_object_key() : quote_plain_key()))
                    return false;
            } else {
                if (!note(character))
                    return false;
                out_ += character;
                ++at_;
            }
        }
        return true;
    }

    std::string take() { return std::move(out_); }

  private:
    struct level {
        bool is_object;
        bool expects_key;
    };

    [[nodiscard]] bool expects_key() const { return !levels_.empty() && levels_.back().expects_key; }

    bool note(char character) {
        switch (character) {
        case '{':
        case '[':
            if (levels_.size() == limits::max_json_depth)
                return false;
            levels_.push_back({character == '{', character == '{'});
            return true;
        case '}':
        case ']':
            if (!levels_.empty())
                levels_.pop_back();
            return true;
        case ':':
        case ',':
            if (!levels_.empty())
                levels_.back().expects_key = character == ',' && levels_.back().is_object;
            return true;
        default:
            return true;
        }
    }

    // The place after the text that begins at `from`.
    [[nodiscard]] std::size_t text_end(std::size_t from) const {
        for (std::size_t i = from + 1; i < text_.size(); ++i) {
            if (text_[i] == '\\')
                ++i;
            else if (text_[i] == '"')
                return i + 1;
        }
        return text_.size();
    }

    void copy_text() {
        const std::size_t end = text_end(at_);
        out_.append(text_.substr(at_, end - at_));
        at_ = end;
        if (expects_key())
            levels_.back().expects_key = false; // it was the key
    }

    bool quote_object_key() {
        std::size_t depth = 0;
        std::size_t i = at_;
        while (i < text_.size()) {
            if (text_[i] == '"') {
                i = text_end(i);
                continue;
            }
            if (text_[i] == '{')
                ++depth;
            else if (text_[i] == '}')
                --depth;
            ++i;
            if (depth == 0) {
                quote(text_.substr(at_, i - at_));
                at_ = i;
                return true;
            }
        }
        return false;
    }

    bool quote_plain_key() {
        std::size_t end = text_.find(':', at_);
        if (end == std::string_view::npos)
            return false;
        std::size_t key_end = end;
        while (key_end > at_ && is_blank(text_[key_end - 1]))
            --key_end;
        quote(text_.substr(at_, key_end - at_));
        at_ = end;
        return true;
    }

    void quote(std::string_view key) {
        out_ += '"';
        for (const char character : key) {
            if (character == '"' || character == '\\')
                out_ += '\\';
            out_ += character;
        }
        out_ += '"';
        levels_.back().expects_key = false;
    }

    std::string_view text_;
    std::size_t at_ = 0;
    std::string out_;
    std::vector<level> levels_;
};

const json_value& empty_array() {
    static const json_value value = json_value::array();
    return value;
}

const json_value& empty_object() {
    static const json_value value = json_value::object();
    return value;
}

} // namespace

result<json_value> parse_json_body(byte_view body, std::string_view what, std::size_t max_bytes) {
    if (body.size() > max_bytes)
        return error{errc::too_large, std::string{what} + ": " + std::to_string(body.size()) +
                                          " bytes are over the limit of " + std::to_string(max_bytes)};
    fastjson_standardizer standardizer{as_text(body)};
    if (!standardizer.run())
        return error{errc::malformed, std::string{what} + ": nested too deeply, or a key does not end"};
    json_value parsed = json_value::parse(standardizer.take(), nullptr, false);
    if (!parsed.is_object())
        return error{errc::malformed, std::string{what} + ": the body is not a JSON object"};
    return parsed;
}

std::string dump_json(const json_value& value) {
    return value.dump(-1, ' ', false, json_value::error_handler_t::replace);
}

void json_reader::fail(const std::string& why) {
    if (!failure_)
        failure_ = error{errc::malformed, what_ + ": " + why};
}

const json_value* json_reader::find(const char* key) const {
    if (!object_.is_object())
        return nullptr;
    const auto found = object_.find(key);
    return found == object_.end() || found->is_null() ? nullptr : &*found;
}

std::optional<std::int64_t> json_reader::integer_of(const json_value& value) {
    if (value.is_number_unsigned() && value.get<std::uint64_t>() > std::numeric_limits<std::int64_t>::max())
        return std::nullopt;
    if (value.is_number_integer())
        return value.get<std::int64_t>();
    std::int64_t number = 0;
    if (value.is_string() && parse_field(value.get_ref<const std::string&>(), number))
        return number;
    return std::nullopt;
}

void json_reader::text(const char* key, std::string& to) {
    const json_value* const value = find(key);
    if (!value)
        return;
    if (value->is_string())
        to = value->get<std::string>();
    else
        fail(std::string{key} + " must be a text");
}

void json_reader::required_text(const char* key, std::string& to) {
    text(key, to);
    if (to.empty())
        fail(std::string{key} + " is missing");
}

void json_reader::number(const char* key, std::int64_t& to) {
    const json_value* const value = find(key);
    if (!value)
        return;
    if (const auto integer = integer_of(*value))
        to = *integer;
    else
        fail(std::string{key} + " must be a 64-bit integer");
}

void json_reader::number(const char* key, std::int32_t& to) {
    std::int64_t wide = to;
    number(key, wide);
    if (wide < std::numeric_limits<std::int32_t>::min() || wide > std::numeric_limits<std::int32_t>::max())
        fail(std::string{key} + " must be a 32-bit integer");
    else
        to = static_cast<std::int32_t>(wide);
}

void json_reader::number(const char* key, queue_offset& to) {
    std::int64_t value = to.value();
    number(key, value);
    to = queue_offset{value};
}

void json_reader::number(const char* key, timestamp_ms& to) {
    std::int64_t value = to.value();
    number(key, value);
    to = timestamp_ms{value};
}

void json_reader::boolean(const char* key, bool& to) {
    const json_value* const value = find(key);
    if (!value)
        return;
    if (value->is_boolean())
        to = value->get<bool>();
    else if (!value->is_string() || !parse_field(value->get_ref<const std::string&>(), to))
        fail(std::string{key} + " must be true or false");
}

void json_reader::texts(const char* key, std::vector<std::string>& to) {
    for (const json_value& element : array(key)) {
        if (element.is_string())
            to.push_back(element.get<std::string>());
        else if (!element.is_null())
            fail(std::string{key} + " must hold texts");
    }
}

void json_reader::numbers(const char* key, std::vector<std::int32_t>& to) {
    for (const json_value& element : array(key)) {
        const auto integer = integer_of(element);
        if (integer && static_cast<std::int32_t>(*integer) == *integer)
            to.push_back(static_cast<std::int32_t>(*integer));
        else if (!element.is_null())
            fail(std::string{key} + " must hold 32-bit integers");
    }
}

const json_value& json_reader::array(const char* key) {
    const json_value* const value = find(key);
    if (!value)
        return empty_array();
    if (!value->is_array()) {
        fail(std::string{key} + " must be an array");
        return empty_array();
    }
    return *value;
}

const json_value& json_reader::object(const char* key) {
    const json_value* const value = find(key);
    if (!value)
        return empty_object();
    if (!value->is_object()) {
        fail(std::string{key} + " must be an object");
        return empty_object();
    }
    return *value;
}

} // namespace holdfast::protocol
