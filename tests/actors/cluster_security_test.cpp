#include "actors/cluster_security.hpp"

#include "cluster_fixture.hpp"
#include "tests/storage/temporary_directory.hpp"

#include <utility>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <fstream>
#include <memory>
#include <optional>

namespace holdfast::actors {
namespace {

using namespace std::chrono_literals;

// A certificate and its key, in memory and as files.
struct identity {
    std::shared_ptr<EVP_PKEY> key;
    std::shared_ptr<X509> certificate;
    std::string certificate_file;
    std::string key_file;
};

template <class Write>
std::string write_pem(const std::filesystem::path& file, Write write) {
    const std::shared_ptr<std::FILE> out{std::fopen(file.c_str(), "w"), std::fclose};
    EXPECT_EQ(write(out.get()), 1);
    return file.string();
}

// Signed by the issuer, or by itself. Valid for the seconds given.
identity make_identity(const std::filesystem::path& folder, const std::string& name, const identity* issuer,
                       long seconds = 3600) {
    identity made;
    made.key.reset(EVP_EC_gen("P-256"), EVP_PKEY_free);
    made.certificate.reset(X509_new(), X509_free);
    auto* const certificate = made.certificate.get();
    X509_set_version(certificate, 2);
    static long serial = 0;
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -7200);
    X509_gmtime_adj(X509_getm_notAfter(certificate), seconds);
    X509_set_pubkey(certificate, made.key.get());
    auto* const subject = X509_get_subject_name(certificate);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
    X509_set_issuer_name(certificate,
                         issuer != nullptr ? X509_get_subject_name(issuer->certificate.get()) : subject);
    const std::shared_ptr<X509_EXTENSION> is_authority{
        X509V3_EXT_conf_nid(nullptr, nullptr, NID_basic_constraints,
                            issuer == nullptr ? "critical,CA:TRUE" : "critical,CA:FALSE"),
        X509_EXTENSION_free};
    X509_add_ext(certificate, is_authority.get(), -1);
    EXPECT_GT(X509_sign(certificate, (issuer != nullptr ? *issuer : made).key.get(), EVP_sha256()), 0);
    made.certificate_file =
        write_pem(folder / (name + ".crt"), [&](std::FILE* out) { return PEM_write_X509(out, certificate); });
    made.key_file = write_pem(folder / (name + ".key"), [&](std::FILE* out) {
        return PEM_write_PrivateKey(out, made.key.get(), nullptr, nullptr, 0, nullptr, nullptr);
    });
    return made;
}

class cluster_security : public ::testing::Test {
  protected:
    [[nodiscard]] identity make(const std::string& name, const identity* issuer, long seconds = 3600) const {
        return make_identity(home_.path(), name, issuer, seconds);
    }
    [[nodiscard]] static cluster_tls tls_of(const identity& node, const identity& authority) {
        return {node.certificate_file, node.key_file, authority.certificate_file};
    }
    [[nodiscard]] cluster_settings settings_of(const std::string& name,
                                               const std::optional<cluster_tls>& tls) const {
        auto settings = name == "a" ? node_settings("a", {peer_at("b", port_b_)})
                                    : node_settings("b", {peer_at("a", port_a_)});
        settings.port = name == "a" ? port_a_ : port_b_;
        settings.tls = tls;
        return settings;
    }
    [[nodiscard]] std::filesystem::path file(const std::string& name) const { return home_.path() / name; }

    // An a that may not belong to the cluster gets nowhere, whatever it says; a real one does afterwards.
    void expect_shut_out(const std::optional<cluster_tls>& tls) {
        cluster_node b{settings_of("b", tls_of(b_, authority_))};
        {
            cluster_node stranger{settings_of("a", tls)};
            EXPECT_FALSE(stranger.heard.wait_for_event("found b disk-of-b ", 1, 1500ms));
            EXPECT_TRUE(b.heard.events().empty());
            EXPECT_TRUE(b.heard.frames().empty());
        }
        cluster_node a{settings_of("a", tls_of(a_, authority_))};
        EXPECT_TRUE(a.heard.wait_for_event("found b disk-of-b "));
        EXPECT_TRUE(b.heard.wait_for_event("found a disk-of-a "));
    }

    storage::testing::temporary_directory home_;
    const std::uint16_t port_a_ = free_port();
    const std::uint16_t port_b_ = free_port();
    const identity authority_ = make("authority", nullptr);
    const identity a_ = make("a", &authority_);
    const identity b_ = make("b", &authority_);
};

TEST_F(cluster_security, nodes_of_one_authority_find_each_other) {
    cluster_node a{settings_of("a", tls_of(a_, authority_))};
    std::optional<cluster_node> b{std::in_place, settings_of("b", tls_of(b_, authority_))};
    ASSERT_TRUE(a.heard.wait_for_event("found b disk-of-b "));
    ASSERT_TRUE(b->heard.wait_for_event("found a disk-of-a "));
    const std::string big(std::size_t{7} << 20U, 'x');
    ASSERT_TRUE(a.links().send("b", make_frame("big", {big, "end"})));
    ASSERT_TRUE(b->links().send("a", make_frame("back", {})));
    ASSERT_TRUE(b->heard.wait_for_frames(1));
    EXPECT_TRUE(body_text(b->heard.frames()[0].frame) == big + "end");
    ASSERT_TRUE(a.heard.wait_for_frames(1));

    b.reset();
    ASSERT_TRUE(a.heard.wait_for_event("lost b", 1, 2s));
    b.emplace(settings_of("b", tls_of(b_, authority_)));
    EXPECT_TRUE(a.heard.wait_for_event("found b disk-of-b ", 2));
}

TEST_F(cluster_security, a_node_without_certificate_gets_nowhere) {
    expect_shut_out(std::nullopt);
}

TEST_F(cluster_security, a_node_of_another_authority_gets_nowhere) {
    const auto other_authority = make("other", nullptr);
    const auto stranger = make("stranger", &other_authority);
    expect_shut_out(tls_of(stranger, other_authority));
    // Even if it trusts the cluster's authority itself.
    const auto both = file("both.crt");
    std::ofstream{both} << std::ifstream{other_authority.certificate_file}.rdbuf()
                        << std::ifstream{authority_.certificate_file}.rdbuf();
    expect_shut_out(cluster_tls{stranger.certificate_file, stranger.key_file, both.string()});
}

// Without TLS, such a header makes CAF allocate what it claims.
TEST_F(cluster_security, what_is_no_handshake_is_hung_up_on) {
    namespace asio = boost::asio;
    cluster_node b{settings_of("b", tls_of(b_, authority_))};
    asio::io_context context;
    asio::ip::tcp::socket socket{context};
    socket.connect({asio::ip::address_v4::loopback(), port_b_});
    asio::write(socket, asio::buffer(std::string(32, '\xff')));
    // At most an alert comes back, then the end; no server handshake of CAF's, which is longer.
    std::string answer(64, '\0');
    boost::system::error_code failure;
    const auto size = asio::read(socket, asio::buffer(answer), failure);
    EXPECT_TRUE(failure);
    EXPECT_LT(size, 32U);
    cluster_node a{settings_of("a", tls_of(a_, authority_))};
    EXPECT_TRUE(a.heard.wait_for_event("found b disk-of-b "));
}

TEST_F(cluster_security, certificates_that_could_not_work_are_refused_at_the_start) {
    EXPECT_TRUE(check_certificates(tls_of(a_, authority_)).ok());
    const auto refusal = [](const cluster_tls& tls) {
        const auto checked = check_certificates(tls);
        return checked.ok() ? std::string{} : checked.failure().message;
    };
    using ::testing::HasSubstr;
    auto tls = tls_of(a_, authority_);
    tls.key = file("missing.key").string();
    EXPECT_THAT(refusal(tls), HasSubstr("clusterTlsKey '" + tls.key + "' can't be read"));
    tls = tls_of(a_, authority_);
    tls.key = b_.key_file;
    EXPECT_THAT(refusal(tls), HasSubstr("clusterTlsKey is not the certificate's key"));
    tls = tls_of(a_, authority_);
    tls.certificate = a_.key_file;
    EXPECT_THAT(refusal(tls), HasSubstr("clusterTlsCert is not a certificate"));
    tls = tls_of(a_, authority_);
    tls.authority = a_.key_file;
    EXPECT_THAT(refusal(tls), HasSubstr("clusterTlsCa is not a certificate"));
    const auto other_authority = make("other", nullptr);
    EXPECT_THAT(refusal(tls_of(a_, other_authority)), HasSubstr("must be signed by clusterTlsCa"));
    const auto expired = make("expired", &authority_, -60);
    EXPECT_THAT(refusal(tls_of(expired, authority_)), HasSubstr("expired"));
}

} // namespace
} // namespace holdfast::actors
