// holdfast cert ca | node NAME
#include "cli/certificates.hpp"
#include "cli/command_line.hpp"
#include "config/peers.hpp"

#include <sstream>

namespace holdfast::cli {

namespace {

namespace po = boost::program_options;

constexpr std::string_view usage =
    "usage: holdfast cert ca --out DIR\n"
    "       holdfast cert node NAME --host IP_OR_NAME[,...] --ca DIR --out DIR\n\n"
    "ca    makes a certificate authority for one cluster: DIR/ca.crt and its key, DIR/ca.key. Whoever has "
    "the "
    "key\n"
    "      can make nodes that the others trust: keep it off the nodes.\n"
    "node  makes the certificate and key of one node, DIR/NAME.crt and DIR/NAME.key, signed by the authority "
    "in\n"
    "      --ca, and puts ca.crt beside them. NAME is the node's nodeName; --host are the addresses under "
    "which\n"
    "      the other nodes reach it.\n"
    "Nothing is overwritten. Keys are readable by their owner only.\n";

int make_ca(const std::filesystem::path& out, int days) {
    const auto made = make_authority(out, days);
    if (!made)
        return failed(made.failure());
    fmt::print("certificate  {}\nkey          {} (keep it off the nodes)\n", made->certificate.string(),
               made->key.string());
    return exit_done;
}

result<std::vector<std::string>> hosts_of(const std::string& text) {
    std::vector<std::string> hosts;
    std::istringstream list{text};
    for (std::string each; std::getline(list, each, ',');) {
        if (!config::is_host(each))
            return error{errc::invalid_argument,
                         "--host: '" + each + "' is neither an IPv4 address nor a name"};
        hosts.push_back(each);
    }
    if (hosts.empty() || text.back() == ',')
        return error{errc::invalid_argument, "--host wants addresses or names, separated by ','"};
    return hosts;
}

int make_node(const std::string& name, const po::variables_map& words, int days) {
    if (!config::is_plain_name(name) || name.size() > 64)
        return misused("a node's NAME is 1 to 64 letters, digits, '_' or '-'");
    if (name == "ca")
        return misused("the files of a node 'ca' would be mistaken for the authority's; choose another NAME");
    if (words.count("host") == 0 || words.count("ca") == 0)
        return misused("`holdfast cert node` wants --host (how the other nodes reach it) and --ca (where "
                       "`holdfast cert ca` put the authority)");
    const auto hosts = hosts_of(words["host"].as<std::string>());
    if (!hosts)
        return failed(hosts.failure());
    const std::filesystem::path out = words["out"].as<std::string>();
    const auto made = make_node_certificate({name, *hosts}, words["ca"].as<std::string>(), out, days);
    if (!made)
        return failed(made.failure());
    fmt::print("# for the config of node {}\nclusterTlsCert = {}\nclusterTlsKey = {}\nclusterTlsCa = {}\n",
               name, made->certificate.string(), made->key.string(), pair_in(out, "ca").certificate.string());
    return exit_done;
}

} // namespace

int run_cert(std::span<const std::string> arguments) {
    constexpr int most_days = 36'500;
    po::options_description shown{"options"};
    auto add = shown.add_options();
    add("out,o", po::value<std::string>(), "the directory for the new files; made if need be");
    add("ca", po::value<std::string>(), "node: the directory of ca.crt and ca.key");
    add("host", po::value<std::string>(), "node: its IPv4 addresses and names, separated by ','");
    add("days", po::value<int>()->default_value(3'650), "days until it expires");
    add("help,h", "this text");
    po::options_description hidden;
    hidden.add_options()("what", po::value<std::string>())("name", po::value<std::string>());
    po::positional_options_description places;
    places.add("what", 1).add("name", 1);
    po::variables_map words;
    if (const auto done = understand(arguments, usage, shown, hidden, places, words))
        return *done;
    const auto what = words.count("what") != 0 ? words["what"].as<std::string>() : std::string{};
    if (what != "ca" && what != "node")
        return misused(what.empty() ? "which certificate? `holdfast cert ca` or `holdfast cert node NAME`"
                                    : "there is no certificate '" + what + "'; there are ca and node NAME");
    if ((what == "node") != (words.count("name") != 0))
        return misused(what == "ca" ? "`holdfast cert ca` takes no name"
                                    : "which node? `holdfast cert node NAME`");
    if (words.count("out") == 0)
        return misused("where to? give --out DIR");
    const int days = words["days"].as<int>();
    if (days < 1 || days > most_days)
        return misused("--days must be from 1 to 36500");
    if (what == "ca")
        return make_ca(words["out"].as<std::string>(), days);
    return make_node(words["name"].as<std::string>(), words, days);
}

} // namespace holdfast::cli
