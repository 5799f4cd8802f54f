#include "protocol/properties.hpp"

namespace holdfast::protocol {

std::optional<std::string_view> find_property(std::string_view text, std::string_view name) {
    std::optional<std::string_view> found;
    for (const message_property& property : properties_view{text})
        if (property.name == name)
            found = property.value;
    return found;
}

void append_property(std::string& text, std::string_view name, std::string_view value) {
    if (!text.empty() && text.back() != property_separator)
        text += property_separator;
    text.append(name);
    text += name_separator;
    text.append(value);
    text += property_separator;
}

std::string without_property(std::string_view text, std::string_view name) {
    std::string kept;
    kept.reserve(text.size());
    while (!text.empty()) {
        const std::size_t size = std::min(text.find(property_separator), text.size());
        const std::string_view piece = text.substr(0, std::min(size + 1, text.size()));
        const bool is_it =
            piece.size() > name.size() && piece[name.size()] == name_separator && piece.starts_with(name);
        if (!is_it)
            kept.append(piece);
        text.remove_prefix(piece.size());
    }
    return kept;
}

result<void> check_property(std::string_view name, std::string_view value) {
    const auto bad = [&](const char* what) {
        return error{errc::invalid_argument, "property \"" + std::string{name.substr(0, 64)} + "\" " + what};
    };
    constexpr std::string_view separators{"\x01\x02", 2};
    if (name.empty())
        return bad("has no name");
    if (value.empty())
        return bad("has an empty value; leave the property out instead");
    if (name.find_first_of(separators) != std::string_view::npos)
        return bad("has a character 1 or 2 in its name; they separate properties");
    if (value.find_first_of(separators) != std::string_view::npos)
        return bad("has a character 1 or 2 in its value; they separate properties");
    return {};
}

result<void> check_properties_size(std::string_view text, std::size_t added_bytes) {
    const std::size_t size = text.size() + added_bytes;
    if (size <= limits::max_properties_bytes)
        return {};
    return error{errc::too_large, "the properties are " + std::to_string(size) + " bytes, " +
                                      std::to_string(added_bytes) + " of them the broker's; at most " +
                                      std::to_string(limits::max_properties_bytes) + " can be stored"};
}

} // namespace holdfast::protocol
