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

bool binary_header_reader::fail(error why) {
    failure_ = std::move(why);
    return false;
}

bool binary_header_reader::take_text(const char* what, std::string_view& to) {
    if (rest_.size() < sizeof(std::int32_t))
        return fail(bad(std::string{"it ends before the length of the "} + what));
    const auto size = take<std::int32_t>();
    if (size < 0 || static_cast<std::size_t>(size) > rest_.size())
        return fail(bad(std::string{what} + " of " + std::to_string(size) + " bytes with " +
                        std::to_string(rest_.size()) + " left"));
    to = as_text(rest_.first(static_cast<std::size_t>(size)));
    rest_ = rest_.subspan(to.size());
    return true;
}

result<void> binary_header_reader::read() {
    return read_header() ? result<void>{} : result<void>{std::move(*failure_)};
}

bool binary_header_reader::read_header() {
    if (rest_.size() < limits::min_binary_header_bytes)
        return fail(bad(std::to_string(rest_.size()) + " bytes are fewer than the smallest header's " +
                        std::to_string(limits::min_binary_header_bytes)));
    into_.code_ = take<std::int16_t>();
    into_.language_ = language_numbered(take<std::uint8_t>());
    into_.version_ = take<std::int16_t>();
    into_.opaque_ = take<std::int32_t>();
    into_.flag_ = take<std::int32_t>();
    std::string_view block;
    return take_text("remark", into_.remark_) && take_text("extFields block", block) &&
           read_fields(as_bytes(block));
}

bool binary_header_reader::read_fields(byte_view block) {
    rest_ = block;
    while (!rest_.empty()) {
        header_field field;
        if (!take_whole_field(field) && !take_field(field))
            return false;
        if (field.value.empty())
            continue; // null
        if (into_.fields_.size() == limits::max_field_count)
            return fail({errc::too_large, "binary header: more than " +
                                              std::to_string(limits::max_field_count) + " extFields"});
        into_.fields_.push_back(field);
    }
    return true;
}

// A field that is all there, as nearly all are: i16 length, name, i32 length, value. Takes nothing otherwise.
inline bool binary_header_reader::take_whole_field(header_field& to) {
    constexpr std::size_t lengths_bytes = sizeof(std::int16_t) + sizeof(std::int32_t);
    const std::byte* const at = rest_.data();
    const std::size_t size = rest_.size();
    if (size < lengths_bytes)
        return false;
    // A negative length is a large one here.
    const std::size_t name_size = load_big<std::uint16_t>(at);
    if (name_size > size - lengths_bytes)
        return false;
    const std::byte* const value = at + lengths_bytes + name_size;
    const std::size_t value_size = load_big<std::uint32_t>(value - sizeof(std::int32_t));
    const std::size_t left = size - lengths_bytes - name_size;
    if (name_size > 0x7FFF || value_size > left)
        return false;
    to.name = as_text({at + sizeof(std::int16_t), name_size});
    to.value = as_text({value, value_size});
    rest_ = rest_.last(left - value_size);
    return true;
}

// The same with words for what is wrong.
bool binary_header_reader::take_field(header_field& to) {
    if (rest_.size() < sizeof(std::int16_t))
        return fail(bad("the extFields end inside a name's length"));
    const auto name_size = take<std::int16_t>();
    if (name_size < 0 || static_cast<std::size_t>(name_size) > rest_.size())
        return fail(bad("name of " + std::to_string(name_size) + " bytes with " +
                        std::to_string(rest_.size()) + " left"));
    to.name = as_text(rest_.first(static_cast<std::size_t>(name_size)));
    rest_ = rest_.subspan(to.name.size());
    return take_text("value", to.value);
}

} // namespace holdfast::protocol
