#include "protocol/binary_header.hpp"

namespace holdfast::protocol {

namespace {

error bad(std::string message) {
    return {errc::malformed, "binary header: " + std::move(message)};
}

} // namespace

// The caller has checked that there are enough bytes.
template <class T>
T binary_header_reader::take() {
    const T value = load_big<T>(rest_.data());
    rest_ = rest_.subspan(sizeof value);
    return value;
}

result<std::string_view> binary_header_reader::take_text(const char* what) {
    if (rest_.size() < sizeof(std::int32_t))
        return bad(std::string{"it ends before the length of the "} + what);
    const auto size = take<std::int32_t>();
    if (size < 0 || static_cast<std::size_t>(size) > rest_.size())
        return bad(std::string{what} + " of " + std::to_string(size) + " bytes with " +
                   std::to_string(rest_.size()) + " left");
    const std::string_view text = as_text(rest_.first(static_cast<std::size_t>(size)));
    rest_ = rest_.subspan(text.size());
    return text;
}

result<void> binary_header_reader::read() {
    if (rest_.size() < limits::min_binary_header_bytes)
        return bad(std::to_string(rest_.size()) + " bytes are fewer than the smallest header's " +
                   std::to_string(limits::min_binary_header_bytes));
    into_.code_ = take<std::int16_t>();
    into_.language_ = language_numbered(take<std::uint8_t>());
    into_.version_ = take<std::int16_t>();
    into_.opaque_ = take<std::int32_t>();
    into_.flag_ = take<std::int32_t>();
    const auto remark = take_text("remark");
    if (!remark)
        return remark.failure();
    into_.remark_ = *remark;
    const auto block = take_text("extFields block");
    if (!block)
        return block.failure();
    return read_fields(as_bytes(*block));
}

result<void> binary_header_reader::read_fields(byte_view block) {
    rest_ = block;
    while (!rest_.empty()) {
        if (rest_.size() < sizeof(std::int16_t))
            return bad("the extFields end inside a name's length");
        const auto name_size = take<std::int16_t>();
        if (name_size < 0 || static_cast<std::size_t>(name_size) > rest_.size())
            return bad("name of " + std::to_string(name_size) + " bytes with " +
                       std::to_string(rest_.size()) + " left");
        const std::string_view name = as_text(rest_.first(static_cast<std::size_t>(name_size)));
        rest_ = rest_.subspan(name.size());
        const auto value = take_text("value");
        if (!value)
            return value.failure();
        if (value->empty())
            continue; // null
        if (into_.fields_.size() == limits::max_field_count)
            return error{errc::too_large, "binary header: more than " +
                                              std::to_string(limits::max_field_count) + " extFields"};
        into_.fields_.push_back({name, *value});
    }
    return {};
}

} // namespace holdfast::protocol
